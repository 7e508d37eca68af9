"""What every study of a grid shares: from a YAML file to cells, from cells to processes, from results to a report.

A study is a package `studies/<name>/` with

    measure.py   measure(settings, seed, folder) -> values    one cell, in a fresh process; arrays go into `folder`
    price.py     price(settings) -> Price                     expected seconds and bytes; refuses what cannot be meant
    figures.py   figures(table, out) -> list of Drawn         each with the CSV behind it
    command.py   STUDY = Study(...), which names the three

and a grid `studies/conf/<name>.yaml` (`studies.engine.grid` describes its form). It is registered in
`studies/registry.py`. A folder of results holds

    study.json                            what was asked for last, with what
    cells/<name>-<hash>-seed<seed>/       settings.json, log.txt, result.json (done) or failure.json, arrays
    cells.csv, *.svg, *.csv, report.md, report.html
"""
