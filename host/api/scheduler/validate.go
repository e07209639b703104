package scheduler

import (
	"fmt"

	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// uuidBytes is the length of a UUID on the wire.
const uuidBytes = 16

// validate checks a call's shape: that the parts are there that its type asks for. What it says is worded as in
// Mesos. Whether the parts make sense is for the state machine to say.
func validate(call *scheduler.Call) error {
	if call.Type == nil {
		return refuse("Expecting 'type' to be present")
	}
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		return validateSubscribe(call)
	}
	if call.FrameworkId == nil {
		return missing("framework_id")
	}
	if name, absent := absentPart(call); absent {
		return missing(name)
	}
	return validatePart(call)
}

func validateSubscribe(call *scheduler.Call) error {
	if call.Subscribe == nil {
		return missing("subscribe")
	}
	if call.GetFrameworkId().GetValue() != call.GetSubscribe().GetFrameworkInfo().GetId().GetValue() {
		return refuse("'framework_id' differs from 'subscribe.framework_info.id'")
	}
	return nil
}

// absentPart names the part that the call's type asks for, if it is not there.
func absentPart(call *scheduler.Call) (name string, absent bool) {
	switch call.GetType() {
	case scheduler.Call_ACCEPT:
		return "accept", call.Accept == nil
	case scheduler.Call_DECLINE:
		return "decline", call.Decline == nil
	case scheduler.Call_ACCEPT_INVERSE_OFFERS:
		return "accept_inverse_offers", call.AcceptInverseOffers == nil
	case scheduler.Call_DECLINE_INVERSE_OFFERS:
		return "decline_inverse_offers", call.DeclineInverseOffers == nil
	case scheduler.Call_KILL:
		return "kill", call.Kill == nil
	case scheduler.Call_SHUTDOWN:
		return "shutdown", call.Shutdown == nil
	case scheduler.Call_ACKNOWLEDGE:
		return "acknowledge", call.Acknowledge == nil
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		return "acknowledge_operation_status", call.AcknowledgeOperationStatus == nil
	case scheduler.Call_RECONCILE:
		return "reconcile", call.Reconcile == nil
	case scheduler.Call_RECONCILE_OPERATIONS:
		return "reconcile_operations", call.ReconcileOperations == nil
	case scheduler.Call_MESSAGE:
		return "message", call.Message == nil
	case scheduler.Call_REQUEST:
		return "request", call.Request == nil
	case scheduler.Call_UPDATE_FRAMEWORK:
		return "update_framework", call.UpdateFramework == nil
	}
	return "", false
}

// validatePart checks within the parts what a call must not lack.
func validatePart(call *scheduler.Call) error {
	switch call.GetType() {
	case scheduler.Call_ACKNOWLEDGE:
		return validateUUID(call.GetAcknowledge().GetUuid())
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		ack := call.GetAcknowledgeOperationStatus()
		if ack.GetAgentId() == nil {
			return missing("acknowledge_operation_status.agent_id")
		}
		return validateUUID(ack.GetUuid())
	case scheduler.Call_UPDATE_FRAMEWORK:
		if call.GetFrameworkId().GetValue() != call.GetUpdateFramework().GetFrameworkInfo().GetId().GetValue() {
			return refuse("'framework_id' differs from 'update_framework.framework_info.id'")
		}
	}
	return nil
}

func validateUUID(uuid []byte) error {
	if len(uuid) != uuidBytes {
		return refuse("Not a valid UUID")
	}
	return nil
}

func missing(field string) error { return refuse(fmt.Sprintf("Expecting '%s' to be present", field)) }

func refuse(why string) error {
	return endpoint.BadRequest("Failed to validate scheduler::Call: %s", why)
}
