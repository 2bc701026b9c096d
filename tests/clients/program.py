"""Works with a gate by the client that was made of its document: program.py URL TOKEN."""

import datetime
import sys

from postigo_client import AuthenticatedClient
from postigo_client.api.accounts import get_accounts
from postigo_client.api.messages import post_messages
from postigo_client.api.tickets import get_tickets, get_tickets_number, post_tickets_number_articles
from postigo_client.models import ArticleInput, MessageResult, Problem, Receipt, TicketWithArticles
from postigo_client.types import File

MAIL = b"Message-ID: <clients@example.org>\r\nFrom: jane@example.com\r\nSubject: Printer\r\n\r\nIt smokes.\r\n"


def of(kind, answer):
    assert isinstance(answer, kind), answer
    return answer


url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)

accounts = get_accounts.sync(client=client)
assert "local" in [account.name for account in accounts.items], accounts

filed = of(MessageResult, post_messages.sync(client=client, body=File(payload=MAIL, mime_type="message/rfc822")))
assert filed.status == "filed" and filed.title == "Printer", filed

ticket = of(TicketWithArticles, get_tickets_number.sync(filed.ticket_number, client=client))
assert isinstance(ticket.created_at, datetime.datetime) and ticket.owner is None, ticket
assert [article.subject for article in ticket.articles] == ["Printer"], ticket

note = ArticleInput.from_dict({"kind": "note", "subject": "Seen", "body": "We look."})
of(Receipt, post_tickets_number_articles.sync(filed.ticket_number, client=client, body=note))

since = ticket.created_at - datetime.timedelta(hours=1)
changed = get_tickets.sync(client=client, changed_since=since, limit=1)
assert [row.ticket_number for row in changed.items] == [filed.ticket_number], changed

of(Problem, get_tickets_number.sync("1", client=client))
print(filed.ticket_number)
