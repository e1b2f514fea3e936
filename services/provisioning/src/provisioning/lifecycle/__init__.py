"""Lifecycle: what becomes of a profile after it was generated."""

from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import operator_of
from provisioning.lifecycle.store import issued_profiles, issued_profiles_by_iccid

__all__ = ["Observations", "SourcedReport", "issued_profiles", "issued_profiles_by_iccid", "operator_of"]
