"""The index on Milvus, against milvus-lite."""
