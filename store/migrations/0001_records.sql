-- One row per record: a thing of some kind, in one account and region, as JSON.
CREATE TABLE record (
    kind    TEXT NOT NULL,
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    id      TEXT NOT NULL,
    json    TEXT NOT NULL,
    PRIMARY KEY (kind, account, region, id)
);
