"""Every kept recipe names a known data set and parameters that its model has."""

import pytest

from benchmarks.protocols import PROTOCOLS
from benchmarks.quality import RECIPES, recipes
from fastrec.models import model_class


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda recipe: recipe.name)
def test_a_recipe_fits_its_model_and_data_set(recipe):
    model_class(recipe.model)(**recipe.params)
    assert set(recipe.bar) <= set(PROTOCOLS[recipe.dataset].metrics)
    assert recipe.path == RECIPES / f"{recipe.name.replace('/', '-')}.toml"
