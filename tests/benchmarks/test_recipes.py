"""Every kept recipe names a known data set and parameters that its model has."""

import pytest

from benchmarks.protocols import PROTOCOLS
from benchmarks.quality import RECIPES, new_model, recipes


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda recipe: recipe.name)
def test_a_recipe_fits_its_model_and_data_set(recipe):
    new_model(recipe)
    assert set(recipe.bar) <= set(PROTOCOLS[recipe.dataset].metrics)
    assert recipe.path == RECIPES / f"{recipe.name.replace('/', '-')}.toml"
