"""CEL text to AST to SQL, and the rest evaluated per row."""
