import doctest

import pytest

from eilev.evaluation import calibration, class_f1, classifier, probes, scores, trials

MODULES = [calibration, class_f1, classifier, probes, scores, trials]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module):
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
