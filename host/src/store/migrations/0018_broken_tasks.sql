-- Tasks of a host that panicked or ended and have not shown since that they work; made anew by each start of the host.
CREATE TABLE broken_task (
    host TEXT NOT NULL,
    task TEXT NOT NULL,
    subject TEXT NOT NULL,
    why TEXT NOT NULL,
    times BIGINT NOT NULL,
    at BIGINT NOT NULL,
    again_at BIGINT,
    PRIMARY KEY (host, task, subject)
);
