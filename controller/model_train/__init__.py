"""Train a text CNN on somebody's own labelled comments: `fab train`.

Modules by step: `options` reads the command line, `data` and `cells` read the comments, `split`
parts them, `vectors` and `vocabulary` choose the words and their rows, `encoding` and `examples`
make word indices of texts, `batches` puts texts of similar length together; `network`,
`optimizing`, `loop`, `export` and `run` are the only ones that import Keras; `state` keeps what an
interrupted training needs, `calibration` makes scores probabilities, `metrics` measures them,
`outputs` writes what `fab build-model` reads. `run` calls them in this order, with the numbers of a
`recipe`.

It runs in `.venv-training` (`requirements/training.txt`), which has Keras and not the controller's
packages. What does not import Keras is tested in the controller's environment, the rest by
`make test-train`.
"""
