"""The figures of a model card: `fab train` and `make model-card` write them.

`scorer` asks a bundle for scores with the service's own code, `figures`, `bias` and `failures`
compute, `sections` and `plots` show, `card` puts the sections into a document. Nothing here knows
Keras: what is measured is what is served.
"""
