"""What makes long work durable: finished pieces are kept in a file, and helpers end with the process that began them.

* ``store``: a directory of finished pieces of work (``--state DIR``), each under a key;
* ``content``: what the keys are made of, so that a piece is used only for the same sources and the same question;
* ``guard``: temporary folders and child processes that are gone seconds after their process, however it ends;
* ``replace``: files that are the old ones or the complete new ones;
* ``share``: work shared out, by one of the two that follow;
* ``pool`` and ``worker``: processes that share work, and end with their parent;
* ``cluster`` and ``carry``: workers of a Dask cluster that share work;
* ``cores``: how many cores a process may use, so that processes and threads together are not more than there are;
* ``workers``: what keeps signals from them.
"""
