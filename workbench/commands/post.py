"""``workbench post``: write a post for a mailing list, or an answer to a mail, in 72 columns of plain ASCII.

The claim stands in the first lines; then come the parts of ``--about``, each with the command that shows it, footnotes,
and what is needed to make the post again. With ``--reply-to`` it is an mbox that git send-email sends unchanged.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.durable.share import Jobs
    from workbench.present.post import Post

PARTS = "exits, state, failures, hardware, repairs, measured, verdict, trace, 'trace FAILURE:EVENT[:PROTOCOL]'"
ATTACHED = ("trace", "csv", "page")


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "post", run, "a post for a mailing list, or an answer to a mail",
        description=__doc__,
        example="workbench post --about exits,failures,'trace F05:descriptor-race' --reply-to review.mbox "
        "--quote 'live migration' -o answer.mbox",
    )  # fmt: skip
    _options.add_names(parser, "--about", f"parts, in the order named: {PARTS}; review-2011 is a whole post "
                       "(default exits,state,failures,trace,verdict)")  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    _options.add_happening(parser, events="default: a few")
    parser.add_argument("--vcpus", type=_options.whole_number(1, 4096), default=64, metavar="N",
                        help="vCPUs of simulated runs, 1 to 4096 (default 64)")
    parser.add_argument("--seed", type=_options.whole_number(0), default=0, metavar="N",
                        help="start of the virtual clock (default 0)")
    parser.add_argument("--all-sizes", action="store_true",
                        help="explore at all sizes of workbench matrix, which takes minutes (default: two sizes)")
    _options.add_names(parser, "--known", "properties that are known to fail: XFAIL in place of FAIL")
    _options.add_jobs(parser)
    mail = parser.add_argument_group("mail")
    mail.add_argument("--reply-to", type=Path, metavar="FILE", help="the mail answered: a raw mail, or an mbox")
    mail.add_argument("--message-id", metavar="ID", help="the mail of an mbox that holds several")
    mail.add_argument("--quote", action="append", metavar="TEXT", default=[],
                      help="a paragraph of that mail, by number or by words in it; the first stands above the first "
                      "part, and so on (repeat the option)")
    mail.add_argument("--subject", metavar="TEXT", help="the subject (default: that of the mail answered)")
    _options.add_names(mail, "--attach", f"files to go with the mail: {', '.join(ATTACHED)} (default none)")
    _options.add_result_file(parser)


def run(args: argparse.Namespace) -> int:
    """Write the post; status 1 if a program of a design failed and broke off a search."""
    from workbench.present.post import mail
    from workbench.present.post.received import chosen, read_mail
    from workbench.present.progress import Progress

    _check(args)
    answered = None if args.reply_to is None else read_mail(args.reply_to, args.message_id)
    if answered is not None:
        chosen(answered, args.quote)  # before minutes of searching: is there such a paragraph?
        for one in answered.left_out:
            Progress().note(f"{one!r} is no address; it is left out of the answer")
    with _options.workers(args) as jobs:  # what is explored is decided by what is written
        made = _made(args, jobs)
        text = mail.whole(made, answered, args.quote, args.subject or "", _options.unique(args.attach) or ())
        verdicts = made.verdicts()
    _options.write(args, text)
    return _options.status_of(verdicts)


def _check(args: argparse.Namespace) -> None:
    """Raise WorkbenchError for options that go with none of the others."""
    if args.reply_to is None:
        for option, value in (("--quote", args.quote), ("--message-id", args.message_id)):
            if value:
                raise WorkbenchError(f"{option} is about the mail that --reply-to FILE names")
        if args.attach and args.subject is None:
            raise WorkbenchError("--attach makes a mail: name its --subject, or the mail answered with --reply-to")
    if args.subject is not None and not args.subject.strip():
        raise WorkbenchError("--subject is empty")
    for name in args.attach or ():
        if name not in ATTACHED:
            raise WorkbenchError(f"unknown attachment {name!r}", ATTACHED)


def _made(args: argparse.Namespace, jobs: Jobs) -> Post:
    from workbench.measure.variants import DEFAULT
    from workbench.present.post import post
    from workbench.present.post.asked import EVENTS, SIZES
    from workbench.present.post.parts import DEFAULT as PARTS_OF_DEFAULT

    return post(
        _options.unique(args.about) or PARTS_OF_DEFAULT,
        _options.unique(args.protocols) or DEFAULT,
        _options.unique(args.events) or EVENTS,
        _options.unique(args.features),
        args.vcpus,
        sizes=None if args.all_sizes else SIZES,
        seed=args.seed,
        jobs=jobs,
        known=_options.unique(args.known) or (),
    )
