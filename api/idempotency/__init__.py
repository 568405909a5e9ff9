"""Idempotency-Key: a request that is sent again gets the first answer again, and makes no second event.

Of the IETF's draft-ietf-httpapi-idempotency-key-header. A key is *taken* before the work and *answered* after it, in a
SQLite file that the processes of one host share, in the outbox's root. Between the two lies the append to the outbox,
and the record that commits the event carries the answer, too: so whoever finds a key that was taken by a process that
is dead reads that process's outbox files, and knows whether there is an event. Requests without the header never come
here.
"""
