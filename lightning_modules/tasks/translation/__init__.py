"""German to English, by encoder and decoder."""
