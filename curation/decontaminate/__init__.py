"""Problems that repeat a benchmark's."""
