"""Raises the priority of mails whose subject says that they are urgent."""

from wit_world import exports
from wit_world.exports.filtering import Change, Verdict
from wit_world.exports.setup import Description


class Setup(exports.Setup):
    def describe(self):
        return Description(
            name="urgent-python",
            version="1.0.0",
            summary="Raises the priority of mails that say they are urgent.",
            settings_schema='{"type": "object"}',
            grants=[],
        )

    def configure(self, filters):
        # Once for all filters of the group, before any mail. A mistake in their settings is raised as
        # componentize_py_types.Err([Problem(filter=0, place="/word", reason="…")]).
        pass


class Filtering(exports.Filtering):
    def settable_headers(self):
        return ["X-OTOBO-Priority"]

    def evaluate(self, filter, mail):
        subject = mail.header("Subject") or ""
        if "urgent" not in subject.lower():
            return Verdict(matched=False, changes=[], reason="")
        return Verdict(matched=True, changes=[Change(header="X-OTOBO-Priority", value="5 very high")], reason="")
