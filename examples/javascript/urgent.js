// Raises the priority of mails whose subject says that they are urgent.

export const setup = {
  describe() {
    return {
      name: "urgent-javascript",
      version: "1.0.0",
      summary: "Raises the priority of mails that say they are urgent.",
      settingsSchema: '{"type": "object"}',
      grants: [],
    };
  },

  // Once for all filters of the group, before any mail. A mistake in their settings is thrown as a list:
  // throw [{ filter: 0, place: "/word", reason: "…" }];
  configure(filters) {},
};

export const filtering = {
  settableHeaders() {
    return ["X-OTOBO-Priority"];
  },

  evaluate(filter, mail) {
    const subject = mail.header("Subject") ?? "";
    if (!subject.toLowerCase().includes("urgent")) {
      return { matched: false, changes: [], reason: "" };
    }
    return { matched: true, changes: [{ header: "X-OTOBO-Priority", value: "5 very high" }], reason: "" };
  },
};
