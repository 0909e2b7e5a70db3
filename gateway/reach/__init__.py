"""How others reach the gateway: proxies in front of it, the tunnel, who calls how often.

Above: the composition root. Below: nothing of ours but the settings.
"""
