"""What `make test` leaves to `make test-all`: further instances of what it tests.

Nearly all of the time goes into compilation: each family of networks, each kind of project and each strategy has programs
of its own, and those of a U-Net or a captioner take minutes. A test that says the same of all of them says it of these in
`make test`, of the cheapest that have little in common: convolutions and attention, images and text. Every other family is
still rendered, and its parameters are counted (tests/synth/test_target_project.py).
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

FAMILIES = ("cnn", "decoder_transformer")  # of networks
PROJECTS = ("image", "text")  # kinds of them
RUNS = ("image",)  # kinds of them
STRATEGIES = ("evolution", "random")

# By file, tests and examples that take long beside what they add: a whole run that differs from another in a circumstance,
# a claim on the average of many searches. The parts that they are made of have tests in `make test`.
FURTHER = {
    # Whole runs: in `make test` one is interrupted, one done again by another process, one trained by several.
    "tests/automl/test_faults.py": (
        "test_a_candidate_that_diverges_is_a_row_with_its_reason_and_the_run_goes_on",
        "test_chunks_shrink_until_they_fit_into_memory_and_the_numbers_stay",
        "test_a_program_that_cannot_be_compiled_fails_its_candidates_and_no_others",
    ),
    "tests/automl/test_meta_learner.py": (
        "test_a_cold_run_starts_from_nothing",
        "test_a_run_that_predicts_is_told_what_is_remembered_and_is_reproduced",
    ),
    "tests/automl/test_portfolio_starts.py": (
        "test_a_run_starts_from_the_portfolio_and_is_reproduced_when_another_one_ships",
    ),
    "tests/automl/test_proxies.py": (
        "test_a_proxy_that_ranks_the_wrong_way_round_changes_nothing",
        "test_a_search_gone_through_again_chooses_the_same",
        "test_untrained_networks_are_read_alike_alone_and_among_others",
    ),
    "tests/automl/test_resume.py": (
        "test_a_run_stopped_among_its_last_files_goes_on_without_training_prototypes",
        "test_a_full_disk_is_named_and_the_run_goes_on_later",
        "test_a_run_that_a_time_limit_ended_is_whole_and_goes_on_with_more_time",
        "test_a_broken_database_is_named_and_fresh_starts_over",
        "test_finalists_go_on_after_the_leg_at_which_they_were_interrupted",
        "test_a_killed_process_leaves_a_folder_that_goes_on",
    ),
    "tests/automl/test_run_folder.py": (  # the README's commands do both in the project of its run
        "test_the_project_retraces_the_recorded_curve_from_its_initial_weights",
        "test_the_project_answers",
    ),
    "tests/automl/test_rungs.py": (
        "test_a_search_with_rungs_stops_the_worse_half_and_the_others_lose_no_bit",
        "test_a_search_that_was_interrupted_at_a_rung_ends_with_the_same_bytes",
    ),
    "tests/automl/test_search_engine.py": (
        "test_a_proxy_that_ranks_well_is_found_to_do_so",
        "test_candidates_that_had_to_be_repaired_are_counted",
    ),
    "tests/automl/test_targets.py": ("test_the_winner_of_a_search_for_targets_is_a_target_with_its_prototype",),
    "tests/automl/test_time_limit.py": (
        "test_who_measures_over_the_limit_leaves_and_the_verdict_is_kept",
        "test_a_limit_for_another_device_is_kept_by_prediction_alone",
    ),
    "tests/automl/test_workers.py": (
        "test_a_run_with_three_processes_gives_the_bytes_of_a_run_with_one",  # the README has as many as cores
        "test_a_worker_that_is_killed_takes_nothing_with_it",
        "test_workers_end_with_the_run_that_started_them_and_the_run_goes_on",
    ),
    "tests/cli/test_cluster.py": ("test_two_processes_that_meet_through_jax_distributed_give_the_bytes_of_one",),
    "tests/cli/test_commands.py": (
        "test_synth_trains_one_network_at_the_upper_end_of_the_budget",  # so does a command of the README
        "test_ranking_by_size_alone_trains_only_the_finalists",
    ),
    "tests/cli/test_plan.py": (
        "test_a_plan_can_be_given_is_recorded_and_is_reproduced",
        "test_calibrate_measures_and_keeps",
    ),
    "tests/cli/test_reproduce.py": ("test_the_same_bytes_come_out", "test_the_first_difference_is_named"),
    "tests/test_extensions.py": (
        "test_its_run_leaves_result_figures_and_the_version_of_the_extension",
        "test_its_project_works_where_neither_package_can_be_imported",
        "test_its_code_is_formatted_as_ruff_has_it",
        "test_a_population_of_its_family_computes_what_each_member_computes_alone",
    ),
    # Programs: of further structures, precisions and sizes.
    "tests/synth/costs/test_model.py": (
        "test_costs_are_those_of_xla_where_three_lists_of_layers_have_depths_of_their_own",
    ),
    "tests/synth/test_precision.py": ("test_between_the_blocks_of_three_levels_the_stream_is_float32",),
    "tests/population/test_checkpoints.py": ("test_a_full_disk_is_one_message_whichever_write_meets_it_first",),
    "tests/population/test_training_checkpoints.py": (
        "test_a_full_disk_is_one_message_with_the_folder_and_a_later_process_goes_on",
    ),
    "tests/synth/test_prototypes.py": ("test_what_counts_as_trainable_is_up_to_the_spec",),
    "tests/synth/test_space.py": ("test_the_closest_value_named_for_an_impossible_budget_is_the_closest_there_is",),
    "tests/synth/test_survey.py": (
        "test_the_smallest_groups_of_limits_that_conflict_are_named_with_their_lines[large]",
    ),
    # Scripts of experiments, whose pages hold what they measured.
    "tests/test_fault_campaign.py": (
        "test_others_keep_their_bits_beside_nan",
        "test_slots_neighbours_and_meshes_leave_the_bits_alone",
        "test_smaller_chunks_leave_the_bits_alone",
    ),
    "tests/test_limits_experiment.py": ("test_a_few_random_specs_are_kept",),
    "tests/test_population_benchmark.py": ("test_the_engine_trains_what_jax_trains_alone",),
    # Searches: how well a strategy does over many of them; what each promises of every single one is in `make test`.
    "tests/search/test_aging_evolution.py": (
        "test_larger_tournaments_choose_better_parents",
        "test_it_finds_a_better_minimum_than_random_search",
    ),
    "tests/search/test_cma_es.py": (
        "test_a_warm_start_moves_the_mean_to_the_best_feasible_row",
        "test_runs_together_agree_with_runs_alone_bit_for_bit_on_real_numbers",
        "test_a_small_categorical_space_is_searched_better_than_at_random",
        "test_state_stays_finite_where_nothing_can_be_gained",
        "test_separable_variant_solves_a_long_ellipsoid",
        "test_batches_of_any_size_come_down_by_about_as_many_evaluations",
        "test_discrete_coordinates_that_have_settled_still_move_when_told_to",
        "test_a_mixed_space_is_solved_in_every_kind_of_choice",
        "test_correlated_dimensions_with_the_minimum_in_a_corner_are_no_obstacle",
        "test_fewer_evaluations_than_pycma_in_ten_dimensions",
        "test_a_minimum_on_the_edge_of_the_space_is_found",
    ),
    "tests/search/test_compare.py": (
        "test_several_objectives_are_compared_by_hypervolume",
        "test_results_are_the_same_for_the_same_key_and_for_any_python_function",
    ),
    "tests/search/test_gaussian_process.py": ("test_believing_a_query_is_measuring_its_mean",),
    "tests/search/test_halving.py": (
        "test_halving_finds_more_than_full_budgets_do_for_the_same_cost",
        "test_candidates_are_distinct_and_feasible_where_a_rung_is_no_multiple_of_the_batch",
    ),
    "tests/search/test_local_search.py": (
        "test_it_finds_a_better_minimum_than_random_search",
        "test_continuous_neighbours_change_one_dimension_within_its_range_until_patience_ends",
        "test_climbs_with_several_objectives_reach_different_parts_of_the_front",
    ),
    "tests/search/test_nsga2.py": (
        "test_zdt1_in_full_size_beats_the_published_reference",
        "test_small_populations_find_the_front_of_a_discrete_space",
    ),
    "tests/search/test_optimize.py": (
        "test_keys_differ_and_vmap_agrees_with_single_searches",
        "test_compiled_and_plain_python_searches_agree_bit_for_bit",
        "test_the_front_agrees_with_the_domination_matrix",
    ),
    "tests/search/test_predictor_guided.py": ("test_it_finds_far_better_mixed_genotypes_than_random_search",),
    "tests/search/test_proxy.py": (
        "test_a_good_proxy_helps_and_a_wrong_one_does_little_harm",
        "test_a_proxy_is_trusted_exactly_where_it_ranks",
        "test_a_trusted_proxy_draws_later_batches_and_another_does_not",
        "test_the_first_genotypes_are_better_by_the_proxy_than_their_control_but_not_alike",
        "test_the_lower_bound_lies_below_the_true_agreement_in_about_95_of_100_runs",
    ),
    "tests/search/test_repair.py": (
        "test_every_strategy_proposes_feasible_candidates_and_says_which_were_repaired",
        "test_repair_depends_on_its_key_alone",
        "test_rows_that_are_moved_in_chunks_arrive_as_well",
    ),
    "tests/search/test_search_quality.py": (
        "test_evolution_beats_random_search_on_trained_networks",
        "test_evolution_finds_a_better_front_of_accuracy_and_size_than_random_search",
        "test_evolution_beats_random_search_on_an_ordered_quadratic",
    ),
    "tests/search/test_splitting.py": ("test_the_share_is_estimated_within_a_factor_of_two",),
    "tests/search/test_warm_start.py": ("test_given_genotypes_come_first_in_order_without_copies_and_infeasible_ones",),
    "metagen_jax/search/aging_evolution.py": ("aging_evolution",),
    "metagen_jax/search/cma_es.py": ("cma_es",),
    "metagen_jax/search/compare.py": ("compare",),
    "metagen_jax/search/halving.py": ("optimize_with_rungs",),
    "metagen_jax/search/local_search.py": ("local_search",),
    "metagen_jax/search/nsga2.py": ("nsga2",),
    "metagen_jax/search/optimize.py": ("optimize",),  # the README has such an example
    "metagen_jax/search/predictor_guided.py": ("predictor_guided",),
    "metagen_jax/search/proxy.py": ("proxy_start", "is_trusted"),
    "metagen_jax/search/random_search.py": ("random_search",),
    "metagen_jax/search/warm_start.py": ("start_from",),
    # Whole runs from Python: the README has one.
    "metagen_jax/api.py": ("automl",),
    "tests/test_api.py": ("test_it_writes_what_the_command_line_writes_and_remembers",),
    "tests/synth/test_target_project.py": ("test_key_value_heads_are_divided_or_else_the_query_heads_that_share_them",),
    "tests/test_tutorials.py": ("test_every_block_of_a_tutorial_runs_after_the_ones_before[search_as_functions]",),
}


def in_short(names: Iterable[str], standing: Collection[str]) -> list[Any]:
    """All names as parameters of a test, of which `make test-all` alone runs those that stand for no others."""
    return [name if name in standing else pytest.param(name, marks=pytest.mark.slow) for name in names]


def is_further(item: pytest.Item, root: Path) -> bool:
    """Whether a test is in `FURTHER`, as a whole or with its parameters, or looks at a further project."""
    names = FURTHER.get(item.path.relative_to(root).as_posix(), ())
    if item.name in names or item.name.partition("[")[0].rpartition(".")[2] in names:  # of an example, after its module
        return True
    projects = [
        name.removesuffix("_project") for name in getattr(item, "fixturenames", ()) if name.endswith("_project")
    ]
    return not set(PROJECTS).issuperset(projects)
