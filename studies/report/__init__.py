"""Reports of studies: one self-contained HTML file, and the same in Markdown."""
