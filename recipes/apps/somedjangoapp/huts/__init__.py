"""Mountain huts and what visitors say of them."""
