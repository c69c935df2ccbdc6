"""The columns of the page, in its order. A new column is a line in one of these files; a new file is a line here."""

from workbench.measure.verdict.asked import Column
from workbench.measure.verdict.columns import costs, exits, failures, nature, state

COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (*exits.COLUMNS, *state.COLUMNS, *costs.COLUMNS, *failures.COLUMNS, *nature.COLUMNS)
}
