-- From a mail to what it was answered.
CREATE INDEX outgoing_article ON outgoing (article_id) WHERE article_id <> 0;
