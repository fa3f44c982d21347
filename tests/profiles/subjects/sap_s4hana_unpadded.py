"""SAP S/4HANA on a system that shows its order numbers without leading zeros and takes either form."""

from dataclasses import replace

from tests.profiles.subjects import sap_s4hana
from tests.simulators.sap import Sap


def unpadded():
    return Sap(converted_numbers=True)


SUBJECT = replace(sap_s4hana.SUBJECT, simulator=unpadded)
