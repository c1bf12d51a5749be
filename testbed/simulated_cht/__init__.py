"""A simulated CHT, for `make demo`, `worklist simulate` and the tests.

It behaves as recordings of a real CHT show (`tests/data/cht-wire/`), and where they show nothing,
as the CHT's documentation says. It keeps everything in memory.

Read in this order: `revision`, `sequence`, `shard`, `changes`, `database` are a small CouchDB;
`accounts`, `rate_limit`, `simulation` what the CHT knows beyond its documents; `responses`,
`request_parameters`, `authentication`, `access`, the `…_routes` and `server` the same over HTTP;
`feed` loads a recording.
"""
