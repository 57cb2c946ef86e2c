"""Settings of every test: hypothesis draws the same examples each time, on slow machines too."""

from hypothesis import settings

settings.register_profile("thresher", deadline=None, derandomize=True, database=None)
settings.load_profile("thresher")
