//go:build !mutant_lost_update && !mutant_wrong_acknowledgement && !mutant_late_checkpoint && !mutant_write_error_ignored && !mutant_stale_epoch && !mutant_no_retry && !mutant_kill_not_forced && !mutant_recovered_forgotten && !mutant_resources_kept && !mutant_double_offer && !mutant_freed_on_acknowledgement && !mutant_offer_not_rescinded && !mutant_registered_before_commit && !mutant_unreachable_before_commit && !mutant_end_forgotten && !mutant_launch_lost && !mutant_allocator_not_told && !mutant_not_resumed && !mutant_kill_unanswered && !mutant_end_contradicted

package mutant

const planted = ""
