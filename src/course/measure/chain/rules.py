"""What a message of Kubernetes means for the object that it is about: a link's rules, as data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from course.measure.chain.objects import Broken, Chain, line, nearest


@dataclass(frozen=True)
class Rule:
    """One message. The texts take the pattern's groups by number and what the link knows by name.

    Args:
        pattern: what is in the message.
        field: below the place that the message is about; of `object`, if that is given.
        wanted: what would hold.
        seen: what is there; by default the message.
        of: a kind of which the nearest name to the first group is added to what is seen.
        object: what is at fault, if it is another object.
        look: a command that shows it, if it is another one.
    """

    pattern: str
    field: str
    wanted: str
    seen: str = ""
    of: str = ""
    object: str = ""
    look: str = ""


def explain(
    rules: Iterable[Rule], message: str, chain: Chain, known: dict[str, str], default: Broken
) -> Broken:
    """Read a message by the first rule that fits.

    Args:
        rules: of the link.
        message: as Kubernetes, or a process, wrote it.
        chain: for the nearest names.
        known: values for the texts.
        default: the place that the message is about, and what is told if no rule fits.
    """
    for rule in rules:
        if found := re.search(rule.pattern, message, re.IGNORECASE):
            said = [group or "none" for group in found.groups()]
            known = {**known, "near": nearest(said[0], chain.all(rule.of)) if rule.of else ""}
            field, wanted, seen, other, look = (
                text.format(*said, **known)
                for text in (rule.field, rule.wanted, rule.seen, rule.object, rule.look)
            )
            if not other:
                field = ".".join(filter(None, (default.field, field)))
            seen = line(seen + known["near"]) if seen else default.seen
            return Broken(
                other or default.object, field, wanted, seen, default.proof, look or default.look
            )
    return default
