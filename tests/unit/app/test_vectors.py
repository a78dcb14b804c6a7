import sys
import threading

import pytest

from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady
from tox_com_det.store.vectors import LONGEST_CACHED_WORD, Vectors


def vectors(database, cache_words=100, **rules):
    return Vectors(database, TokenizerRules(**rules), cache_words)


def test_one_find_looks_up_each_word_once(database, bundle):
    found = vectors(database).lookup(["you", "zork", "you", "are"])
    assert found == {word: bundle.vectors[word].tobytes() for word in ("you", "are")}
    assert database.asked == [["you", "zork", "are"]]


def test_cached_words_are_not_looked_up_again(database):
    store = vectors(database)
    store.lookup(["you", "zork"])
    assert set(store.lookup(["you", "great", "zork"])) == {"you", "great"}
    assert database.asked[1:] == [["great"]]


def test_cached_words_known_and_unknown_need_no_database(database):
    store = vectors(database)
    store.lookup(["you", "zork"])
    database.away = True
    assert set(store.lookup(["zork", "you"])) == {"you"}
    with pytest.raises(DatabaseUnavailable):
        store.lookup(["great"])


def test_no_words_need_no_database(database):
    database.away = True
    assert vectors(database).lookup([]) == {}


def test_both_caches_are_limited(database, bundle):
    store = vectors(database, cache_words=3)
    store.lookup(bundle.words)
    store.lookup(f"junk{number}" for number in range(50))
    assert store.sizes() == (3, 3)


def test_unknown_words_do_not_evict_vectors(database):
    store = vectors(database, cache_words=3)
    store.lookup(["you"])
    store.lookup(f"junk{number}" for number in range(50))
    store.lookup(["you"])
    assert len(database.asked) == 2


def test_lookups_work_without_a_cache(database):
    store = vectors(database, cache_words=0)
    assert set(store.lookup(["you"])) == {"you"}
    assert store.sizes() == (0, 0)


def test_very_long_words_are_not_cached(database):
    store = vectors(database)
    store.lookup(["x" * (LONGEST_CACHED_WORD + 1), "x" * LONGEST_CACHED_WORD])
    assert store.sizes() == (0, 1)


def test_the_least_recently_used_word_is_evicted_first(database):
    store = vectors(database, cache_words=2)
    for words in (["you"], ["are"], ["you"], ["great"], ["zork"], ["junk"], ["zork"], ["bosh"]):
        store.lookup(words)
    database.asked.clear()
    store.lookup(["you", "great", "zork", "bosh"])
    assert database.asked == []
    store.lookup(["are"])
    store.lookup(["junk"])
    assert database.asked == [["are"], ["junk"]]


def test_a_stored_word_beyond_num_words_is_unknown(database, bundle):
    reachable = bundle.index["great"]
    store = vectors(database, num_words=reachable)
    assert set(store.lookup(["you", "great"])) == {"you"}


def test_half_a_surrogate_pair_is_unknown_and_never_sent(database):
    assert vectors(database).lookup(["\ud800", "a\x00b"]) == {}
    assert database.asked == [["a\x00b"]]


def test_another_collection_empties_the_cache(database):
    store = vectors(database)
    store.lookup(["you", "zork"])
    database.problem = "lost its documents"
    with pytest.raises(EmbeddingNotReady):
        store.lookup(["great"])
    assert store.sizes() == (0, 0)


def test_a_lookup_in_progress_while_the_cache_is_emptied_is_not_cached(database):
    store = vectors(database)
    plain_find = database.find

    def find_and_forget(words):
        rows = plain_find(words)
        store.forget()
        return rows

    database.find = find_and_forget
    assert set(store.lookup(["you"])) == {"you"}
    assert store.sizes() == (0, 0)


def test_the_cache_keeps_its_limit_with_several_threads(database, bundle):
    store = vectors(database, cache_words=4)
    wrong = []

    def work(start):
        for turn in range(300):
            word = bundle.words[(start + turn) % len(bundle.words)]
            if store.lookup([word, f"junk{turn}"]) != {word: bundle.vectors[word].tobytes()}:
                wrong.append(word)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert max(store.sizes()) <= 4
