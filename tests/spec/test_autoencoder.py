"""A spec may name that of an autoencoder, which has to be one, and of the same data."""

import pickle
import shutil
from pathlib import Path

import pytest

from metagen_jax.errors import SpecError
from metagen_jax.spec import load_spec

SPECS = Path(__file__).parents[2] / "specs"
LATENT = """\
name: demo
modality: {inputs: [label], outputs: [image]}
task: {type: generation}
data: {source: mnist5k, autoencoder: image_vae.yaml}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text: str, *overrides: str):
        (tmp_path / "spec.yaml").write_text(text)
        shutil.copy(SPECS / "image_vae.yaml", tmp_path)
        return load_spec(tmp_path / "spec.yaml", overrides)

    return load_text


def test_the_autoencoder_is_a_spec_of_its_own(load):
    spec = load(LATENT)
    assert spec.data.autoencoder == load_spec(SPECS / "image_vae.yaml")
    assert spec.to_dict()["data"]["autoencoder"] == "image_vae.yaml"
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert load(LATENT.replace(", autoencoder: image_vae.yaml", "")).data.autoencoder is None


def test_equality_and_hash_depend_on_what_it_asks_for_and_not_on_where_it_stands(load, tmp_path):
    spec = load(LATENT)
    (tmp_path / "other.yaml").write_text("# a comment\n" + (SPECS / "image_vae.yaml").read_text())
    same = load(LATENT.replace("image_vae.yaml", "other.yaml"))
    assert same == spec and same.hash == spec.hash
    (tmp_path / "other.yaml").write_text((SPECS / "image_vae.yaml").read_text() + "reproducibility: {seed: 1}\n")
    other = load(LATENT.replace("image_vae.yaml", "other.yaml"))
    assert other != spec and other.hash != spec.hash


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ("image_vae.yaml", "nowhere.yaml", "spec.yaml:4, data.autoencoder: 'nowhere.yaml': no such file"),
        ("image_vae.yaml", "spec.yaml", "'spec.yaml' is for label -> image, and an autoencoder is for image -> image"),
        ("mnist5k", "digits", "'image_vae.yaml' has other data than this spec"),
        ("image_vae.yaml", "[image_vae.yaml]", "is not a path"),
        ("autoencoder", "autoencodr", "Did you mean 'autoencoder'?"),
        (
            "[label], outputs: [image]}\ntask: {type: generation}",
            "[image], outputs: [label]}\ntask: {type: classification, num_classes: 10}",
            "data.autoencoder: 'image_vae.yaml' has no meaning for image -> label (classification)",
        ),
        (
            "name: demo",
            "name: demo\ntraining: {augmentation: shift}",
            "'shift' moves images, and codes are learnt from",
        ),
        ("name: demo", "name: demo\ntarget: {num_classes: 100}", "a model of codes is of the size of its data"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(load, written, instead, says):
    with pytest.raises(SpecError) as error:
        load(LATENT.replace(written, instead))
    assert says in str(error.value)


def test_what_is_wrong_in_the_autoencoders_spec_is_said_with_its_place_there(load, tmp_path):
    (tmp_path / "broken.yaml").write_text((SPECS / "image_vae.yaml").read_text().replace("budget: 12", "budget: ten"))
    with pytest.raises(SpecError, match=r"broken.yaml:\d+, search.budget: 'ten' is not a whole number"):
        load(LATENT.replace("image_vae.yaml", "broken.yaml"))


def test_an_autoencoder_has_to_leave_its_weights(load, tmp_path):
    (tmp_path / "bare.yaml").write_text((SPECS / "image_vae.yaml").read_text() + "outputs: {project: false}\n")
    with pytest.raises(SpecError, match=r"bare\.yaml' leaves no project"):
        load(LATENT.replace("image_vae.yaml", "bare.yaml"))
