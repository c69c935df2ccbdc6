"""A mail of January 2011 in small, how it is read, and what a plain answer is."""

from email import message_from_string, policy

from workbench.present.post import received

REVIEW = """\
From: "Ann \u00c9mile" <ann@example.org>
To: Glauber <glauber@example.org>, kvm@example.org
Cc: bob@example.org
Date: Wed, 26 Jan 2011 13:06:54 +0200
Subject: Re: [PATCH 01/16] register
Message-ID: <1@example.org>
References: <0@example.org>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

On 24 January, Glauber wrote:
> The idea is that the guest tells the hypervisor.
>
> This is generic.

From what I see, it doesn't lend itself to live migration, because the state is nowhere but in the hypervisor itself.

What\u2019s wrong with one MSR per feature?
"""


def read(tmp_path, content):
    path = tmp_path / "mail"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return received.read_mail(path)


def parsed(text):
    return message_from_string(text.partition("\n")[2], policy=policy.default)


def is_plain(text):
    return all(" " <= one <= "~" for one in text.replace("\n", "")) and all(
        len(line) <= 72 and line == line.rstrip() for line in text.splitlines()
    )
