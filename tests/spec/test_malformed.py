"""Every malformed spec gets one clear message: its place, what is wrong, and what to write instead."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metagen_jax.errors import SpecError
from metagen_jax.spec import load_spec

IMAGE = """\
metagen_version: "1.0"
name: demo
description: Names a digit.
modality:
  inputs: [image]
  outputs: [label]
task:
  type: classification
  domain: digits
  num_classes: 10
data:
  source: digits
constraints:
  parameter_budget: {min: 1k, max: 60k}
  latency: 10ms
  device: cpu
training:
  steps: 200
  augmentation: shift
architecture:
  family: vit
  choices:
    d_model: [32, 48]
search:
  objectives:
    - metric: validation_loss
    - metric: params
  budget: 8
  rounds: 2
evaluation:
  metrics: [accuracy]
outputs:
  samples: 3
reproducibility:
  seed: 0
"""

DEVICES = "Known: consumer_gpu, cpu, datacenter_gpu, edge, gpu, laptop_cpu, microcontroller, phone, tpu, tpu_core."
# (replaced line of IMAGE, what stands there instead, what the message says); the last new line is the one to be named
ONE_VALUE = [
    # text where a number belongs, and other wrong types
    ("  budget: 8", "  budget: ten", "search.budget: 'ten' is not a whole number"),
    ("  budget: 8", "  budget: 8.5", "8.5 is not a whole number"),
    ("  budget: 8", "  budget: 8.0", "Write 8."),
    ("  budget: 8", "  budget: true", "true is not a whole number"),
    ("  budget: 8", "  budget: [8]", "[8] is not a whole number"),
    ("  budget: 8", "  budget: {min: 8}", "is not a whole number"),
    ("  budget: 8", "  budget:", "has no value"),
    ("  budget: 8", "  budget: ~", "has no value"),
    ("  budget: 8", "  budget: null", "remove the line to get the default"),
    ("  budget: 8", "  budget: ''", "'' is not a whole number"),
    ("  budget: 8", "  budget: 0", "Write at least 1."),
    ("  budget: 8", "  budget: -3", "-3 is too small"),
    ("  budget: 8", "  budget: 1000000000", "Write at most 100k."),
    ("  budget: 8", "  budget: 99999999999999999999999999999999999999", "is too large"),
    ("  budget: 8", f"  budget: {'9' * 5000}", "is not a whole number"),
    ("name: demo", "name: 123", "Put it in quotes"),
    ("name: demo", "name: true", "true is not text"),
    ("name: demo", "name: [demo]", "is not text"),
    ("name: demo", "name: My Model!", "Perhaps 'my_model'."),
    ("name: demo", "name: ../../etc/passwd", "is not a usable name"),
    ("name: demo", f"name: {'a' * 65}", "is not a usable name"),
    ("name: demo", "name: ''", "is not a usable name"),
    ("name: demo", "name: -rf", "is not a usable name"),
    ("name: demo", "name: \"demo'; import os; os.system('x')\"", "is not a usable name"),
    ("name: demo", "name: '{{ 7 * 7 }}'", "is not a usable name"),
    ("name: demo", 'name: "demo\\n"', "is not a usable name"),
    ("  domain: digits", "  domain: 7", "7 is not text"),
    ("  domain: digits", "  domain: [a, b]", "is not text"),
    ("description: Names a digit.", 'description: "two\\nlines"', "U+000A"),
    ("description: Names a digit.", 'description: "\\e[31mred"', "U+001B"),
    ("description: Names a digit.", 'description: "left\\u202eright"', "U+202E"),
    ("description: Names a digit.", f"description: {'long ' * 101}", "at most 500"),
    ('metagen_version: "1.0"', "metagen_version: 2", "2 is not a version"),
    ('metagen_version: "1.0"', "metagen_version: true", "true is not a version"),
    ("  samples: 3", "  samples: 3\n  figures: 1", "outputs.figures: 1 is not true or false"),
    ("  samples: 3", "  samples: 3\n  project: 'true'", "without quotes"),
    ("  samples: 3", "  samples: 21", "Write at most 20."),
    ("  seed: 0", "  seed: -1", "-1 is too small"),
    ("  seed: 0", "  seed: 4294967296", "Write at most 2147483647."),
    ("  seed: 0", "  seed: random", "'random' is not a whole number"),
    ("  num_classes: 10", "  num_classes: 1", "Write at least 2."),
    ("  num_classes: 10", "  num_classes: many", "'many' is not a whole number"),
    ("  steps: 200", "  steps: 200 steps", "is not a whole number"),
    ("  steps: 200", "  steps: 200\n  batch_size: 0", "training.batch_size: 0 is too small"),
    ("  steps: 200", "  steps: 200\n  label_smoothing: 1.5", "Write at most 0.5."),
    ("  steps: 200", "  steps: 200\n  label_smoothing: '0.1'", "without quotes"),
    ("  steps: 200", "  steps: 200\n  label_smoothing: false", "false is not a number"),
    ("  rounds: 2", "  rounds: 2\n  finalists: none", "'none' is not a whole number"),
    # words
    ("  type: classification", "  type: clasification", "Did you mean 'classification'?"),
    ("  type: classification", "  type: segmentation", "Today: image -> label (classification), "),
    ("  type: classification", "  type: 3", "3 is not a word"),
    ("  inputs: [image]", "  inputs: [imgae]", "Did you mean 'image'?"),
    ("  inputs: [image]", "  inputs: [smell]", "Today: image -> label (classification), "),
    ("  inputs: [image]", "  inputs: []", "0 words are listed"),
    ("  inputs: [image]", "  inputs: {image: true}", "Write a list, such as [image]."),
    ("  inputs: [image]", "  inputs: 5", "5 is not a list"),
    ("  device: cpu", "  device: cuda", DEVICES),
    ("  device: cpu", "  device: CPU", f"Did you mean 'cpu'? {DEVICES}"),
    ("  device: cpu", "  device: consumer-gpu", f"Did you mean 'consumer_gpu'? {DEVICES}"),
    ("  device: cpu", "  device: [edge, phone]", "is not a word"),
    ("  device: cpu", "  device: rtx4090", "'rtx4090' is not known here"),
    ("  source: digits", "  source: mnist5", "Did you mean 'mnist5k'?"),
    ("  source: digits", "  source: imagenet", "mnist5k, moving_digits, moving_digits_direction, spoken_prompts."),
    ("  augmentation: shift", "  augmentation: flip", "Known: none, shift, shift_and_words."),
    ("  augmentation: shift", "  augmentation: shift_and_words", "mixes words of texts, and the data have none"),
    ("  augmentation: shift", "  augmentation: none\n  schedule: cosin", "Did you mean 'cosine'?"),
    (
        "  augmentation: shift",
        "  augmentation: none\n  objective: mse",
        "Known: contrastive, cross_entropy, denoising, elbo.",
    ),
    ("  augmentation: shift", "  augmentation: none\n  objective: elbo", "Write cross_entropy, or remove the line."),
    ("  augmentation: shift", "  augmentation: none\n  precision: bfloat", "Did you mean 'bfloat16'?"),
    ("  augmentation: shift", "  augmentation: none\n  precision: 16", "16 is not a word"),
    (
        "  rounds: 2",
        "  rounds: 2\n  strategy: bayesian",
        "Known: aging_evolution, cma_es, evolution, local_search, nsga2, predictor_guided, random, sep_cma_es.",
    ),
    ("    - metric: params", "    - metric: parameters", "Did you mean 'params'?"),
    ("  metrics: [accuracy]", "  metrics: [acuracy]", "Did you mean 'accuracy'?"),
    # units
    ("  latency: 10ms", "  latency: 10", "10 has no unit"),
    ("  latency: 10ms", "  latency: '10'", "'10' has no unit"),
    ("  latency: 10ms", "  latency: 10MS", "Write 10ms."),
    ("  latency: 10ms", "  latency: 10 parsecs", "is not a duration"),
    ("  latency: 10ms", "  latency: fast", "'fast' is not a duration"),
    ("  latency: 10ms", "  latency: -10ms", "'-10ms' is negative"),
    ("  latency: 10ms", "  latency: 0", "0 has no unit"),
    ("  latency: 10ms", "  latency: 0s", "Write at least 0.001ms."),
    ("  latency: 10ms", "  latency: 0fps", "Write a rate above 0"),
    ("  latency: 10ms", "  latency: 30FPS", "Write 30fps."),
    ("  latency: 10ms", "  latency: 30/s", "'30/s' is not a duration"),
    ("  latency: 10ms", "  latency: 1e30", "1e+30 has no unit"),
    ("  latency: 10ms", "  latency: 0.001fps", "Write at most 60000ms."),
    ("  latency: 10ms", "  latency: 0ms", "is too small"),
    ("  latency: 10ms", "  latency: 3h", "Write at most 60000ms."),
    ("  latency: 10ms", "  latency: true", "true is not a duration"),
    ("  latency: 10ms", "  latency: realtime", "real-time"),
    ("  latency: 10ms", "  memory_budget: 12gb", "Write 12GB."),
    ("  latency: 10ms", "  memory_budget: 12G", "'12G' is not an amount of memory"),
    ("  latency: 10ms", "  memory_budget: 2000000", "has no unit"),
    ("  latency: 10ms", "  memory_budget: 1B", "Write at least 1MB."),
    ("  latency: 10ms", "  memory_budget: lots", "'lots' is not an amount of memory"),
    ("  latency: 10ms", "  memory_budget: 0GB", "Write at least 1MB."),
    ("  latency: 10ms", "  memory_budget: 0", "0 has no unit"),
    ("  latency: 10ms", "  memory_budget: -2GB", "'-2GB' is negative"),
    ("  latency: 10ms", "  memory_budget: 99999999TB", "Write at most 1000TB."),
    ("  latency: 10ms", "  inference_memory: 500mb", "Write 500MB."),
    ("  latency: 10ms", "  inference_memory: 0B", "Write at least 1kB."),
    ("  latency: 10ms", "  inference_memory: 1000000", "has no unit"),
    ("  latency: 10ms", "  throughput: 500/min", "is not a rate"),
    ("  latency: 10ms", "  throughput: 30FPS", "Write 30fps."),
    ("  latency: 10ms", "  throughput: 0", "is too small"),
    ("  latency: 10ms", "  throughput: -5", "'-5' is negative"),
    ("  latency: 10ms", "  throughput: 1e30", "1e+30 is too large"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 50m}", "Write 50M."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 50 apples}", "'50 apples' is not"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 1.2345k}", "is not a whole number"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 0}", "Write at least 1."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 9999T}", "Write at most 10T."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 1e30}", "1e+30 is too large"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {min: -1e30}", "-1e+30 is too small"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 1e9}", "Write 1000000000."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: -7B}", "'-7B' is negative"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: 1.5t}", "Write 1.5T."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {max: -5}", "-5 is too small"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: 7b", "parameter_budget: '7b' has a unit in the"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: 0", "parameter_budget: 0 is too small"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: 1e30", "Write at most 10T."),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: -7B", "'-7B' is negative"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: [60k]", "is not a whole number"),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget:", "has no value"),
    # sizes of the target
    ("  device: cpu", "  device: cpu\ntarget:\n  num_classes: 1", "Write at least 2."),
    ("  device: cpu", "  device: cpu\ntarget:\n  image_size: 1e30", "Write at most 4096."),
    ("  device: cpu", "  device: cpu\ntarget:\n  channels: 0", "Write at least 1."),
    ("  device: cpu", "  device: cpu\ntarget:\n  chanels: 3", "Did you mean 'channels'?"),
    ("  device: cpu", "  device: cpu\ntarget: 224", "Write keys below it: vocabulary, image_size"),
    ("  rounds: 2", "  rounds: 2\n  prototype_params: 5m", "Write 5M."),
    ("  rounds: 2", "  rounds: 2\n  prototype_params: 10", "Write at least 1k."),
    (
        "  parameter_budget: {min: 1k, max: 60k}",
        "  parameter_budget: {min: 90k, max: 60k}",
        "min 90000 is above max 60000",
    ),
    ("  parameter_budget: {min: 1k, max: 60k}", "  parameter_budget: {maximum: 60k}", "unknown key 'maximum'"),
    # unknown keys at every depth
    ("name: demo", "name: demo\nnmae: demo", "Did you mean 'name'?"),
    ("name: demo", "name: demo\nseed: 1", "This key belongs at reproducibility.seed."),
    ("name: demo", "name: demo\nlearning_rate: 0.1", "unknown key 'learning_rate'"),
    ("  budget: 8", "  bugdet: 8", "Did you mean 'budget'?"),
    ("  domain: digits", "  domain: digits\n  classes: 10", "unknown key 'classes'"),
    ("    - metric: params", "    - {metric: params, directions: minimize}", "Did you mean 'direction'?"),
    ("    d_model: [32, 48]", "    d_model: {mim: 32}", "Did you mean 'min'?"),
    ("name: demo", "name: demo\n1: 2", "unknown key '1'"),
    ("name: demo", "name: demo\ntrue: 2", "unknown key 'true'"),
    ("name: demo", "name: demo\n__class__: 2", "unknown key '__class__'"),
    ("name: demo", 'name: demo\n"a\\nb": 2', "unknown key 'a\\nb'"),
    # keys that contradict each other
    ("  rounds: 2", "  rounds: 9", "9 is more than search.budget, 8"),
    ("  rounds: 2", "  finalists: 9", "9 is more than search.budget, 8"),
    ("  num_classes: 10", "  num_classes: 7", "data.source digits has 10 classes"),
    ("  source: digits", "  source: kjv", "'kjv' holds text"),
    ("  source: digits", "  source: digits\n  path: mine", "both given"),
    ("  source: digits", "  source: digits\n  hub: ylecun/mnist", "hub 'ylecun/mnist' are both given"),
    ("  source: digits", "  path: mine\n  hub: ylecun/mnist", "both given"),
    ("  source: digits", "  hub: mnist", "Write owner and name of a data set, such as ylecun/mnist."),
    ("  source: digits", "  hub: {config: mnist}", "names no data set"),
    ("  source: digits", "  hub: ylecun/mnist\n  format: text_table", "is how files are read"),
    ("  source: digits", "  source: digits\n  columns: {image: img}", "cannot be set for source 'digits'"),
    ("  source: digits", "  path: mine\n  columns: {image: img}", "has no meaning for data that are no table"),
    (
        "  source: digits",
        "  columns: {image: img}\n  path: a.xyz",
        "the ending of 'a.xyz' does not tell how to read it",
    ),
    ("  source: digits", "  path: a.csv\n  columns: {text: img}", "Its columns are image and label."),
    ("  source: digits", "  source: digits\n  validation_fraction: 0.2", "cannot be set for source 'digits'"),
    ("  source: digits", "  source: digits\n  image_size: 16", "cannot be set for source 'digits'"),
    ("  source: digits", "  source: digits\n  sample_rate: 8000", "cannot be set for source 'digits'"),
    ("  source: digits", "  path: mine\n  clip_seconds: 2", "2.0 has no meaning without audio in modality"),
    ("  source: digits", "  path: mine\n  frames: 8", "8 has no meaning without video in modality"),
    ("  source: digits", "  path: mine\n  format: video_folder", "'video_folder' holds clips of video with labels"),
    ("  source: digits", "  path: mine\n  format: caption_table", "'caption_table' holds images with texts"),
    ("  source: digits", "  path: mine\n  format: audio_folder", "'audio_folder' holds recordings with labels"),
    ("  source: digits", "  source: digits\n  max_examples: 3", "Write at least 10."),
    ("  source: digits", "  path: book.txt", "'text' holds text, but modality is image -> label"),
    ("  source: digits", "  path: images.zip", "Add format: npz or image_folder or image_table."),
    ("  source: digits", "  path: https://example.org/x.npz", "nothing is downloaded"),
    ("  source: digits", "  path: ''", "is not a path"),
    ("  source: digits", "  path: 7", "7 is not a path"),
    (
        "  source: digits",
        "  path: mine\n  format: csv",
        "Known: audio_folder, caption_table, image_folder, image_table, line_table, npz, text, text_folder, "
        "text_table, video_folder.",
    ),
    ("  source: digits", "  path: mine\n  test_fraction: 0", "Write a number above 0"),
    ("  source: digits", "  path: mine\n  channels: 2", "Write 1 for grey or 3 for colour."),
    (
        "data:\n  source: digits",
        "data: {validation_fraction: 0.5, test_fraction: 0.5, path: x}",
        "hold out 1 of the data",
    ),
    ("data:\n  source: digits", "data: {max_examples: 100}", "neither source nor path nor hub is given"),
    ("data:\n  source: digits", "data: digits", "'digits' is not a mapping of keys"),
    ("  device: cpu", "  context_window: 128", "128 has no meaning for image -> label (classification)"),
    ("    - metric: params", "    - metric: validation_loss", "listed twice"),
    ("    - metric: params", "    - {metric: params, direction: maximize}", "Write minimize"),
    ("    - metric: params", "    - {metric: validation_accuracy, direction: minimize}", "Write maximize"),
    ("    - metric: params", "    - metric: bits_per_character", "not measured for image -> label (classification)"),
    ("    - metric: params", "    - params", "Write {metric: params}."),
    ("  budget: 8", "  budget: 8\n  proxies: [params, params]", "'params' is listed twice"),
    ("  budget: 8", "  budget: 8\n  proxies: []", "0 words are listed"),
    ("  budget: 8", "  budget: 8\n  proxies: [params, synflo]", "Did you mean 'synflow'?"),
    ("  budget: 8", "  budget: 8\n  oversampling: 0", "oversampling: 0"),
    ("  rounds: 2", "  rounds: 1\n  oversampling: 4", "4 has no effect in one round"),
    ("    - metric: params", "    - direction: minimize", "metric: is missing"),
    ("  metrics: [accuracy]", "  metrics: [bits_per_character]", "not measured for image -> label (classification)"),
    ("  metrics: [accuracy]", "  metrics: [accuracy, accuracy]", "listed twice"),
    ("  device: cpu", "  device: cpu\ntarget:\n  vocabulary: 32k", "32000 has no meaning for image -> label"),
    (
        "  parameter_budget: {min: 1k, max: 60k}",
        "  inference_memory: 4GB\n  parameter_budget: {min: 2B}",
        "2B parameters take 8GB (4 bytes each), more than constraints.inference_memory: 4GB\n  Write at most 1B,",
    ),
    (
        "  parameter_budget: {min: 1k, max: 60k}",
        "  memory_budget: 12GB\n  parameter_budget: {min: 1B, max: 7B}",
        "1B parameters take 16GB (16 bytes each with gradient and AdamW's two moments), more than "
        "constraints.memory_budget: 12GB\n  Write at most 750M,",
    ),
    (
        "  parameter_budget: {min: 1k, max: 60k}\n  latency: 10ms\n  device: cpu",
        "  device: edge\n  parameter_budget: {min: 2B}",
        "more than what constraints.device edge has for a model: 4GB",
    ),
    # architecture
    ("  family: vit", "  family: [vit, vit]", "listed twice"),
    ("  family: vit", "  family: []", "0 words are listed"),
    ("  family: vit", "  family: 'os.system()'", "is not a usable name"),
    ("    d_model: [32, 48]", "    d_model: [32, 32]", "32 is listed twice"),
    ("    d_model: [32, 48]", "    d_model: []", "0 values are listed"),
    ("    d_model: [32, 48]", "    d_model: {}", "neither min nor max"),
    ("    d_model: [32, 48]", "    d_model: {min: 64, max: 32}", "min 64 is above max 32"),
    ("    d_model: [32, 48]", "    d_model: {min: small}", "min is 'small', which is not a number"),
    ("    d_model: [32, 48]", "    d_model: [32, wide]", "mixes numbers and words"),
    ("    d_model: [32, 48]", "    d_model: true", "true is not a number or a word"),
    ("    d_model: [32, 48]", "    d_model: [[32]]", "[32] is not a number or a word"),
    ("    d_model: [32, 48]", "    d_model: __import__('os')", "is not a number or a single word"),
    ("    d_model: [32, 48]", "    d_model: 1e300", "Write sizes up to 100000"),
    ("    d_model: [32, 48]", "    D-Model: 32", "is not the name of a choice"),
    ("  choices:\n    d_model: [32, 48]", "  choices: [d_model]", "is not a mapping of keys"),
    # YAML that surprises
    ("  domain: digits", "  domain: no", "means true or false to some YAML readers"),
    ("  domain: digits", "  domain: 2024-01-01", "is a date to some YAML readers"),
    ("  samples: 3", "  samples: 3\n  figures: yes", "Write true or false"),
    ("  samples: 3", "  samples: 3\n  figures: Off", "Write true or false"),
    ("  budget: 8", "  budget: 010", "octal"),
    ("  budget: 8", "  budget: 0x10", "octal, hexadecimal or binary"),
    ("  budget: 8", "  budget: 1_000", "without '_'"),
    ("  budget: 8", "  budget: 1:30", "base 60"),
    ("  budget: 8", "  budget: .inf", "is not a finite number"),
    ("  budget: 8", "  budget: .nan", "is not a finite number"),
    ("  budget: 8", "  budget: 1e999", "is not a finite number"),
    ("  budget: 8", "  budget: nan", "'nan' is not a whole number"),
    ("  budget: 8", "  budget: &anchor 8", "the anchor '&anchor' is not supported"),
    ("  budget: 8", "  budget: *alias", "the alias '*alias' is not supported"),
    ("  budget: 8", "  <<: {budget: 8}", "merge keys are not supported"),
    ("  budget: 8", "  budget: !!int 8", "the tag 'tag:yaml.org,2002:int' is not supported"),
    ("  budget: 8", "  budget: !!python/object/apply:os.getcwd []", "is not supported"),
    ("  budget: 8", "  budget: !custom 8", "the tag '!custom' is not supported"),
    ("  rounds: 2", "  budget: 8", "this key is already set in line 28"),
]

# (the whole file, the line that is named, what the message says)
WHOLE_FILE = [
    (b"", 1, "the spec is empty"),
    (b"# only a comment\n", 1, "the spec is empty"),
    (b"---\n...\n", 1, "the spec is empty"),
    (b"just text", 1, "not a mapping of keys"),
    (b"- a\n- b\n", 1, "not a mapping of keys"),
    (b"42", 1, "not a mapping of keys"),
    (b"!!python/object/apply:os.system ['true']\n", 1, "the tag"),
    (b"name: a\n---\nname: b\n", 2, "a second YAML document starts here"),
    (b"name: a\nsearch:\n\tbudget: 3\n", 3, "Indent with spaces."),
    (b"name: a\n  task: b\n", 2, "not valid YAML"),
    (b"name: 'open\n", 2, "not valid YAML"),
    (b"name: [a, b\n", 2, "not valid YAML"),
    (b"name: a\ntask: %x\n", 2, "not valid YAML"),
    (b"name: a\ntask: @x\n", 2, "not valid YAML"),
    (b"name: a\ndescription: note: this\n", 2, "put text that contains ': ' in quotes"),
    (b"name: a\n? [x, y]\n: 3\n", 2, "a key that is not plain text"),
    (b"name: a\n\x00\n", 2, "NUL byte"),
    (b"name: a\ntask: \xff\xfe\n", 2, "byte 0xff is not UTF-8 text"),
    ("name: ä\n".encode("utf-16"), 1, "NUL byte"),
    (b"name: a\n\x07\n", 2, "U+0007 is not allowed"),
    (b"a: " + b"[" * 100_000, 1, "nested more than"),
    (b"".join(b" " * depth + b"a:\n" for depth in range(100)), 14, "nested more than"),
    (b"a: [" + b"1, " * 10_000 + b"]", 1, "more than 5000 values"),
    (b"&a [" + b"*a, " * 100 + b"]", 1, "the anchor '&a' is not supported"),
    (b"# " + b"x" * 2**20, None, "larger than 1 MiB"),
    (b'name: "\\UFFFFFFFF"\n', None, "not valid YAML"),
]

OVERRIDES = [
    ("search.budget", "not of the form PATH=VALUE"),
    ("=8", "not of the form PATH=VALUE"),
    ("search..budget=8", "not of the form PATH=VALUE"),
    ("search.objectives[0].metric=params", "not of the form PATH=VALUE"),
    ("search.budget=", "has no value"),
    ("search.budget=ten", "'ten' is not a whole number"),
    ("search.bugdet=8", "Did you mean 'budget'?"),
    ("serach.budget=8", "Did you mean 'search'?"),
    ("name.first=a", "name is not a section"),
    ("search.budget=[", "not valid YAML"),
    ("search.budget=!!python/name:os.system x", "the tag"),
    ("constraints.latency=10", "10 has no unit"),
    ("outputs.figures=yes", "Write true or false"),
    ("architecture.choices.d_model={min: 9, max: 3}", "min 9 is above max 3"),
    ("name=a\nb", "is not a usable name"),
]


def one_problem(path, overrides=()) -> str:
    """Loads what must be refused, and returns the message after checking its form: one problem, one remedy."""
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert len(message.splitlines()) == 2, message
    assert re.match("  [A-Z]", message.splitlines()[1]), message
    assert message.isascii() or message.replace("\n", "").isprintable()
    assert len(message) < 1200, message
    return message


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_spec(content: bytes | str) -> str:
        (tmp_path / "bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return "bad.yaml"

    return write_spec


def test_the_untouched_spec_is_fine(write):
    assert load_spec(write(IMAGE)).name == "demo"


@pytest.mark.parametrize(("old", "new", "says"), ONE_VALUE)
def test_one_wrong_value_gives_one_message_at_its_line(write, old, new, says):
    assert IMAGE.count(old) == 1
    text = IMAGE.replace(old, new)
    line = IMAGE[: IMAGE.index(old)].count("\n") + new.count("\n") + 1
    message = one_problem(write(text))
    assert says in message, message
    assert message.startswith(f"bad.yaml:{line}, "), message


@pytest.mark.parametrize(("content", "line", "says"), WHOLE_FILE)
def test_an_unreadable_file_gives_one_message(write, content, line, says):
    message = one_problem(write(content))
    assert says in message, message
    assert message.startswith(f"bad.yaml:{line}" if line else "bad.yaml: "), message


@pytest.mark.parametrize(("override", "says"), OVERRIDES)
def test_a_wrong_override_is_named_as_it_was_typed(write, override, says):
    message = one_problem(write(IMAGE), [override])
    assert says in message, message
    assert message.startswith("--set " + (override if override.isprintable() else ascii(override))), message


MISSING = {
    "name": ("name: demo\n", "bad.yaml:1, name: is missing"),
    "modality": ("modality:\n  inputs: [image]\n  outputs: [label]\n", "bad.yaml:1, modality: is missing"),
    "modality.outputs": ("  outputs: [label]\n", "bad.yaml:4, modality.outputs: is missing"),
    "task": ("task:\n  type: classification\n  domain: digits\n  num_classes: 10\n", "bad.yaml:1, task: is missing"),
    "task.type": ("  type: classification\n", "bad.yaml:7, task.type: is missing"),
    "num_classes": ("  num_classes: 10\n", "bad.yaml:7, task.num_classes: is missing, and classification needs it"),
    "data": ("data:\n  source: digits\n", "bad.yaml:1, data: is missing"),
}


@pytest.mark.parametrize("key", MISSING)
def test_a_missing_key_is_named_at_its_section(write, key):
    lines, says = MISSING[key]
    assert lines in IMAGE
    assert one_problem(write(IMAGE.replace(lines, ""))).startswith(says)


COMBINATIONS = [
    ("image", "text", "generation", "bad.yaml:8, task.type: 'generation' does not go with image -> text"),
    ("text", "label", "generation", "bad.yaml:8, task.type: 'generation' does not go with text -> label"),
    ("image, text", "label", "classification", "bad.yaml:4, modality: image + text -> label is not supported yet"),
    ("image", "label", "generation", "bad.yaml:8, task.type: 'generation' does not go with image -> label"),
    ("image", "image", "classification", "bad.yaml:8, task.type: 'classification' does not go with image -> image"),
    ("audio", "text", "generation", "bad.yaml:4, modality: audio -> text is not supported yet"),
    ("text", "text", "classification", "bad.yaml:8, task.type: 'classification' does not go with text -> text"),
]


@pytest.mark.parametrize(("inputs", "outputs", "task", "says"), COMBINATIONS)
def test_a_combination_that_does_not_work_yet_lists_those_that_do(write, inputs, outputs, task, says):
    text = IMAGE.replace("[image]", f"[{inputs}]").replace("[label]", f"[{outputs}]")
    text = text.replace("type: classification", f"type: {task}")
    with pytest.raises(SpecError) as caught:
        load_spec(write(text))
    assert says in str(caught.value)
    assert "Today: image -> label (classification), " in str(caught.value)


def test_text_specs_refuse_what_is_for_images(write):
    text = IMAGE + "target: {image_size: 224, channels: 3, num_classes: 1000}\n"
    text = text.replace("[image]", "[text]").replace("[label]", "[text]").replace("classification", "generation")
    with pytest.raises(SpecError) as caught:
        load_spec(write(text))
    assert [line.split(":")[1] for line in str(caught.value).splitlines() if not line.startswith(" ")] == [
        *("10, task.num_classes", "12, data.source", "19, training.augmentation", "31, evaluation.metrics[0]"),
        *("36, target.image_size", "36, target.channels", "36, target.num_classes"),
    ]


def test_specs_that_reconstruct_refuse_what_is_for_labels(write):
    text = IMAGE.replace("[label]", "[image]").replace("classification", "reconstruction")
    with pytest.raises(SpecError) as caught:
        load_spec(write(text), ["training.objective=cross_entropy", "training.label_smoothing=0.1"])
    assert "Write elbo, or remove the line." in str(caught.value)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines() if not line.startswith(" ")] == [
        "bad.yaml:10, task.num_classes",
        "bad.yaml:31, evaluation.metrics[0]",
        "--set training.objective=cross_entropy, training.objective",
        "--set training.label_smoothing=0.1, training.label_smoothing",
    ]


def test_specs_that_draw_images_of_a_label_refuse_what_is_for_names_of_them(write):
    text = IMAGE.replace("[label]", "[image]").replace("inputs: [image]", "inputs: [label]")
    text = text.replace("classification", "generation").replace(
        "- metric: validation_loss", "- metric: bits_per_character"
    )
    with pytest.raises(SpecError) as caught:
        load_spec(write(text), ["training.objective=elbo"])
    assert "'elbo' is not what is minimised for label -> image (generation)" in str(caught.value)
    assert "Write denoising, or remove the line." in str(caught.value)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines() if not line.startswith(" ")] == [
        "bad.yaml:10, task.num_classes",
        "bad.yaml:26, search.objectives[0].metric",
        "bad.yaml:31, evaluation.metrics[0]",
        "--set training.objective=elbo, training.objective",
    ]


def test_all_problems_of_a_file_are_reported_at_once_in_its_order(write):
    text = IMAGE.replace("name: demo", "name: No!").replace("budget: 8", "budget: 010").replace("seed: 0", "sead: 0")
    text = text.replace("num_classes: 10", "num_classes: 7").replace("[32, 48]", "[]")
    with pytest.raises(SpecError) as caught:
        load_spec(write(text), ["outputs.samples=many", "constraints.latency=9"])
    places = [line.partition(": ")[0] for line in str(caught.value).splitlines() if not line.startswith("  ")]
    assert places == [
        "bad.yaml:2, name",
        "bad.yaml:10, task.num_classes",
        "bad.yaml:23, architecture.choices.d_model",
        "bad.yaml:28, search.budget",
        "bad.yaml:35, reproducibility.sead",
        "--set outputs.samples=many, outputs.samples",
        "--set constraints.latency=9, constraints.latency",
    ]


def test_a_flood_of_problems_is_cut(write):
    text = IMAGE + "".join(f"key_{number}: 1\n" for number in range(100))
    with pytest.raises(SpecError, match=r"\.\.\. and 75 more problems\.$"):
        load_spec(write(text))


def test_an_override_that_breaks_another_key_names_that_key(write):
    message = one_problem(write(IMAGE), ["search.budget=1"])
    assert message.startswith("bad.yaml:29, search.rounds: 2 is more than search.budget, 1")


def test_paths_that_are_no_spec_file_give_one_message(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for path, says in [
        ("none.yaml", "no such file"),
        ("folder", "is a folder"),
        ("a\0b", "a\\x00b': there is no such file"),
        ("", "folder"),
    ]:
        assert says in one_problem(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"], "nothing is written"


def test_the_table_holds_more_than_a_hundred_specs():
    assert len(ONE_VALUE) + len(WHOLE_FILE) + len(MISSING) + len(COMBINATIONS) > 110


JUNK = [
    *(
        "{",
        "}",
        "[",
        "]",
        "- ",
        "? ",
        ": ",
        "!x ",
        "&a ",
        "*a",
        "|",
        "> ",
        "'",
        '"',
        "#",
        "%",
        "@",
        "`",
        "\t",
        "\n",
        "\\",
    ),
    *("---\n", "...\n", "null", "1e5", "-", "0x", "é", "\u2028", "😀", "{a: b}", "[1, [2]]", "<<: ", "\x85", "\ufeff"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(IMAGE)), cut=st.integers(0, 12), junk=st.lists(st.sampled_from(JUNK), max_size=3))
def test_a_damaged_spec_is_read_or_refused_but_never_crashes(write, place, cut, junk):
    try:
        load_spec(write(IMAGE[:place] + "".join(junk) + IMAGE[place + cut :]))
    except SpecError as error:
        assert str(error).startswith(("bad.yaml:", "bad.yaml, ")), error
