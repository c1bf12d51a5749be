"""A simulated CHT and an invented programme, for `make demo`, `worklist simulate` and the tests.

The simulation is held to recordings of a real CHT (`tests/data/cht-wire/`): what those show, it
does; what they do not show, it does as the documentation says. It keeps everything in memory.

Read in this order: `revision`, `sequence`, `shard`, `changes`, `database` are a small CouchDB;
`accounts`, `rate_limit`, `simulation` what the CHT knows beyond its documents; `answers`,
`identity`, `access`, `parameters`, the `…_routes` and `server` the same over HTTP; `feed` loads a
recording, `programme` invents one.
"""
