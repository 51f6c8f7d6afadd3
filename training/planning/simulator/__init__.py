"""A whole run on paper: lengths grow, engines decode, ranks update; how long does it take, and who waits?"""
