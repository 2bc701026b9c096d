-- Who got an automatic answer is not one of the ticket's people for that, and whom its mails want to be answered is: they are read again.
-- From now on `article.unvouched` is set where the address of its sender alone vouched for a mail, too: such an article brings nobody.
DELETE FROM correspondent;
UPDATE ticket SET correspondents_to = 0 WHERE correspondents_to <> 0;
