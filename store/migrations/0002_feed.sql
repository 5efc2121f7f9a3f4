-- The change feed: one row per committed transaction, in order. Bounded; the oldest rows go.
CREATE TABLE feed (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL, -- milliseconds since 1970
    changes  TEXT    NOT NULL  -- JSON: [{"kind","scope","id","op"}]
);
