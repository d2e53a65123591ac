"""`curate browse`: a finished run's records in a browser, on this machine alone.

    table.py    narrow columns in memory: filters, search over texts, order, pages
    cut.py      the cut moved: what the select stage would choose instead, and the --set that makes it so
    map.py      records placed by their embeddings
    records.py  what is shown of one record: picture, text, boxes, scores
    marks.py    good, bad and why, a Parquet file a reviewer under RUN/review; kappa, precision
    review.py   which record to mark next; what the marks say of the run
    good.py     good ones as shards, to train a filter on
    bench.py    what the page asks
    static.py   the page and what it shows as files, with static.js in the server's place
    server.py   HTTP on localhost: token, Host, Content-Security-Policy; page.html, page.css, page.js

No secret and no archive is needed: all that is read is de-identified.
"""
