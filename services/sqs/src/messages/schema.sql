-- Queues that are there: nothing is put into one that is not.
CREATE TABLE queue (
    number    INTEGER PRIMARY KEY,
    retention INTEGER NOT NULL          -- milliseconds that a message is kept
);

-- What changes of a message. `state`: 0 waits, 1 in flight, 2 delayed. `at`: of one that waits when it was sent, else
-- when it waits (again). Small, since each receive rewrites the row; what never changes is in `body`.
CREATE TABLE message (
    queue    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,          -- never given twice
    state    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    grp      INTEGER,                   -- of a FIFO queue
    receives INTEGER NOT NULL DEFAULT 0,
    first    INTEGER,                   -- when it was received first
    last     INTEGER,                   -- when it was received last
    token    INTEGER NOT NULL DEFAULT 0,-- of the last receive
    source   TEXT,                      -- the ARN of the queue that it is a dead letter of
    before   INTEGER NOT NULL DEFAULT 0,-- receives of when it was in that
    PRIMARY KEY (queue, seq)
) WITHOUT ROWID;
CREATE INDEX message_state ON message (queue, state, at, seq);
CREATE INDEX message_group ON message (grp, seq) WHERE grp IS NOT NULL;

CREATE TABLE body (
    seq  INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);

-- A message group that has messages. `head`: the first of them.
CREATE TABLE grp (
    id        INTEGER PRIMARY KEY,
    queue     INTEGER NOT NULL,
    name      TEXT NOT NULL,
    head      INTEGER NOT NULL,
    in_flight INTEGER NOT NULL DEFAULT 0,
    UNIQUE (queue, name)
);
CREATE INDEX grp_ready ON grp (queue, head) WHERE in_flight = 0;

-- What was sent to a FIFO queue within the last minutes, by what makes two the same.
CREATE TABLE sent (
    queue INTEGER NOT NULL,
    key   BLOB NOT NULL,
    at    INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    id    TEXT NOT NULL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX sent_at ON sent (at);

-- What a receive attempt of a FIFO queue got: pairs of `seq` and `token`.
CREATE TABLE attempt (
    queue INTEGER NOT NULL,
    id    TEXT NOT NULL,
    at    INTEGER NOT NULL,
    got   TEXT NOT NULL,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX attempt_at ON attempt (at);

PRAGMA user_version = 1;
