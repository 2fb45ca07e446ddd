"""The galleries on Milvus, for what does not fit into one machine; docs/milvus.md tells the operator.

`index` searches, `snapshot` is what it knows meanwhile. `feeding` is the elected writer's part, `writer` feeds one
collection, `catalogue` knows which one serves and which is being built, `progress` is what a collection says of itself,
`faces` its rows, `connection` the client.
Only `connection` and `schema` import pymilvus, which takes seconds, when they are first used.
"""
