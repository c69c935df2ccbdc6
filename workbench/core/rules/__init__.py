"""The rules that an author's programs must keep; a message says where one is broken, and what to write instead.

* ``sides``: which side may yield which step; one table.
* ``returned``: what each method of a protocol must return.
* ``values``: what an entry of the host's state may hold.
* ``declared``: names, types and signatures of what a protocol class declares.
* ``source``: what only the text shows: a step that is not yielded, a list in a local, a random number.
* ``unchanged``: no state in Python attributes.
* ``place``: file, line and method of the author's code.
"""
