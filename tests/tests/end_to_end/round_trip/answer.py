"""A customer's mail program, made of Python's own libraries: reads the newest mail of a mailbox by IMAP, checks it, and answers it by SMTP."""

import email.policy
import email.utils
import imaplib
import json
import smtplib
import sys

imap_port, user, password, smtp_port, text, keep_subject = sys.argv[1:]
with imaplib.IMAP4("127.0.0.1", int(imap_port)) as mailbox:
    mailbox.login(user, password)
    mailbox.select("INBOX")
    numbers = mailbox.uid("SEARCH", "ALL")[1][0].split()
    raw = mailbox.uid("FETCH", numbers[-1], "(BODY[])")[1][0][1]
read = email.message_from_bytes(raw, policy=email.policy.default)

answer = email.message.EmailMessage()
answer["From"] = email.utils.formataddr(("Jürgen Müller", f"{user}@customer.example"))
answer["To"] = read["Reply-To"] or read["From"]
answer["Subject"] = f"Re: {read['Subject']}" if keep_subject == "yes" else "Another subject"
answer["Message-ID"] = email.utils.make_msgid(domain="customer.example")
answer["Date"] = email.utils.formatdate()
answer["In-Reply-To"] = read["Message-ID"]
answer["References"] = " ".join(filter(None, [read["References"], read["Message-ID"]]))
answer.set_content(f"{text}\n\n> {read.get_body(('plain',)).get_content().strip().splitlines()[0]}\n")
with smtplib.SMTP("127.0.0.1", int(smtp_port)) as server:
    server.send_message(answer)

headers = ["From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "Return-Path"]
heard = {name: str(read[name]) for name in headers if read[name]}
heard["body"] = read.get_body(("plain",)).get_content()
heard["defects"] = [str(defect) for part in read.walk() for defect in part.defects]
print(json.dumps(heard))
