"""What is removed from an executed notebook, and what is kept."""

import nbformat.v4 as v4

from workbench.present.notebooks.portable import normalise


def notebook(*outputs):
    metadata = {"execution": {"iopub.status.busy": "now"}, "tags": ["x"]}
    cell = v4.new_code_cell("1", outputs=list(outputs), execution_count=7, metadata=metadata)
    return v4.new_notebook(cells=[v4.new_markdown_cell("# Why?"), cell], metadata={"widgets": {"state": {}}})


def test_widgets_keep_their_text_and_lose_their_model():
    kept = {"text/plain": "a table", "image/png": "AA=="}
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "5f"}, **kept}
    cell = normalise(notebook(v4.new_output("execute_result", data, execution_count=9))).cells[1]
    assert cell.outputs[0].data == kept
    assert cell.outputs[0].execution_count == cell.execution_count == 1
    assert cell.metadata == {"tags": ["x"]}


def test_metadata_of_a_run_goes():
    assert set(normalise(notebook()).metadata) == {"kernelspec", "language_info"}


def test_pieces_of_a_stream_are_one():
    pieces = [v4.new_output("stream", name=name, text=text) for name, text in
              (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d"))]  # fmt: skip
    outputs = normalise(notebook(*pieces)).cells[1].outputs
    assert [(output.name, output.text) for output in outputs] == [("stdout", "ab\n"), ("stderr", "c"), ("stdout", "d")]
