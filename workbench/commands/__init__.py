"""The commands of ``workbench``, one file each: ``add(subparsers)`` and ``run(args)``."""
