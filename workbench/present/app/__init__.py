"""The app: questions that a visitor asks in a browser, each answered by a command line in a process of its own.

* ``questions``: what can be asked, and the command line of each question;
* ``work``: progress, cancelling, what is kept; ``launcher``: the process that forks one for each question;
* ``pages``: the HTML that a visitor sees; the answers are the files of ``workbench page``;
* ``server``: what is served, to whom (``docs/decisions/0012-the-app-runs-command-lines.md``).
"""

from workbench.present.app.server import serve

__all__ = ["serve"]
