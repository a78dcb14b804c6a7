"""Turn a Keras text CNN (`.h5`) and its word index into a bundle for the server, on the laptop.

Modules by step: `build` is the entry; `keras_file` reads the model (with `keras_archive`,
`architecture`, `weights`); `word_index` reads the words (with `safe_pickle`); `consistency` and
`plausibility` check that they belong together; `origins` says what is assumed, and `unknown_words`,
`unstated_rules` and `sides` what must be asked; `head` converts the model (with `convert`, `graph`,
`registry` and the converters in `layers`, `merges`, `recurrent`, `activations`); `vocabulary`,
`rows` and `dump` write the word vectors; `golden_outputs` (with `own_texts`) and `dead_positions`
(with `random_texts`, `reach`) score texts; `bundle` writes the files and `place` puts them in
place. `dump_embeddings` dumps vectors without a model; `inspect_file` says of any file whether it
fits.
Nothing here is installed on the server, and `tox_com_det` imports nothing from here.
"""

# This import turns off ONNX Runtime's telemetry before any module here imports the runtime.
from tox_com_det import __version__

__all__ = ["__version__"]
