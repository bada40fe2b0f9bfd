CREATE TABLE users (
  -- Made by the service (version 7), so that an insert whose answer was lost recognises itself when it is repeated.
  id                  uuid PRIMARY KEY,
  -- As typed; what is compared and unique is the canonical form (src/auth/emailAddress.ts).
  email               text NOT NULL CHECK (octet_length(email) <= 254),
  email_canonical     text NOT NULL UNIQUE CHECK (octet_length(email_canonical) <= 254),
  password_hash       text NOT NULL,
  created_at          timestamptz NOT NULL DEFAULT now(),
  -- Whole milliseconds, so that the value survives the way through a JavaScript Date and can be compared for equality.
  password_changed_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
);
