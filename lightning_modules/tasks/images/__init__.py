"""Images as sequences: by rows, by pixels, by permuted pixels."""
