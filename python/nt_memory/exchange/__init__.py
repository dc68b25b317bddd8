"""Export and import of records: what a file holds, and how it becomes a history again.

A file has one line or row a version, the versions of a record one after the
other.  Both formats share the fields of `nt_memory.store.RawRecord`.
"""
