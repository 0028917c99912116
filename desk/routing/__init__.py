"""Who answers which ticket? Rules, teams and members as data; every routing is an event with its rule and why.

    rules.yaml -> Routing --.
    ticket as it is now ----+-> Router -> ROUTED events (the job `route` follows every tag, reopening and risk)

Import from the modules: `rules` (the file), `conditions` (what rules look at), `engine` (`Router`, `keep_routed`),
`assignment` (who of a team), `reading` (as data).
"""
