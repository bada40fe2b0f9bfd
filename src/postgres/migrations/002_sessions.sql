-- One row a session; ending a session deletes it. Refresh tokens are kept as SHA-256 only (src/auth/refreshTokens.ts).
CREATE TABLE sessions (
  id            uuid PRIMARY KEY,
  user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- Of the part that all refresh tokens of the session share.
  lineage_hash  bytea NOT NULL UNIQUE CHECK (octet_length(lineage_hash) = 32),
  current_hash  bytea NOT NULL CHECK (octet_length(current_hash) = 32),
  previous_hash bytea CHECK (octet_length(previous_hash) = 32),
  rotated_at    timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  expires_at    timestamptz NOT NULL
);

CREATE INDEX sessions_of_user ON sessions (user_id, created_at);
