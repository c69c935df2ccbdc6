"""ABI structures from the C text of a header or a patch: parsed, laid out for x86-64 and i386, packed and unpacked."""
