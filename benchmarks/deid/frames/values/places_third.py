"""Places of the third frames by country: towns that are, streets, facilities, employers and schools that are not."""

from __future__ import annotations

from benchmarks.deid.frames.values.first import Filling

_TOWNS = {
    "us": "Chillicothe Ypsilanti Opelousas Waukesha Kokomo Altoona Hibbing Yuma Sedalia Natchez Sandusky Tupelo",
    "uk": "Kidderminster Oswestry Barnstaple Penzance Wrexham Kirkcaldy Arbroath Hexham Frome Ballymena Oban Diss",
    "in": "Ratlam Belagavi Tirunelveli Siliguri Udupi Haldwani Bhilai Nanded Thrissur Satara Davangere Kakinada",
    "au": "Toowoomba Warrnambool Broome Devonport Goulburn Gympie Mildura Nambour Taree Timaru Whangarei Invercargill",
    "ie": "Mullingar Drogheda Letterkenny Ennis Tralee Ballinasloe Clonmel Naas Castlebar Youghal Nenagh",
    "ca": "Kamloops Moncton Rimouski Sudbury Lethbridge Gander Chicoutimi Nanaimo Trois-Rivières",
    "za": "Polokwane Gqeberha Upington Mthatha Paarl Vryheid Rustenburg Khayelitsha Welkom",
    "ph": "Iloilo Dumaguete Tagbilaran Batangas Marikina Lucena Tuguegarao Cabanatuan Zamboanga",
}
_STREETS = """Almondbury Bergamot Callaghan Dunmore Eglinton Ferndale Gladstone Harcourt Inverleith Jessamine Kingfisher
Lansdowne Mandela Osprey Persimmon Queensberry Rosebery Tanglewood Uplands Vaughan Wexford Yarrow Zinnia"""
_ADDRESSES = {
    "us": ("### % Ct", "#### N % Ave", "RR 2 Box ###", "P.O. Box ####", "##### % Pkwy", "### E ##th St"),
    "uk": ("Flat #, ## % Mansions", "## % Crescent", "# % Close", "## The %", "% House, % Lane"),
    "in": ("House #-#-###, % Nagar", "Flat ###, % Towers, 4th Cross", "Plot ##, Sector ##", "Door No ##/#, % Colony"),
    "au": ("#/## % Pde", "Unit #, ### % Hwy", "Lot ## % Rd", "## % Tce", "RMB ####, % Track"),
    "ie": ("## % Drive", "Apt #, % Quay", "% House, % Road", "## % Park Grove"),
    "ca": ("###-#### % Blvd", "## rue %", "RR # % Line"),
    "za": ("## % Street", "Stand ####, Section @", "# % Weg"),
    "ph": ("Blk # Lot ##, % Subd., Brgy. %", "### % St., Brgy. ###", "Purok #, Brgy. %"),
}
_CALLED = """Bramwell Carrowmore Delacourt Eastvale Fenwick Garrowby Holloway Inchmore Kestering Lindenmere Marlowe
Oakhaven Pemberley Ravensworth Thornfield Wexcombe"""
_CALLED_INDIAN = "Ashirwad Navjeevan Sanjivani Kaveri Medilife Annapurna Dhanwantri Shraddha"
_SAINTS = "Anselm Bede Colman Dymphna Edmund Finbarr Gerard Hilda Jarlath Kevin Malachy Oswald Philomena"
_FACILITIES = {
    "us": (
        "! Regional Medical Center",
        "% Memorial Hospital",
        "% Imaging of !",
        "The % Clinic",
        "St. & Health",
    ),
    "uk": (
        "! General Infirmary",
        "Royal ! Hospital",
        "% House Surgery",
        "Royal % Hospital",
    ),
    "in": (
        "% Multispeciality Hospital",
        "% Diagnostics",
        "Govt. Medical College, !",
        "! Civil Hospital",
    ),
    "au": ("! Base Hospital", "% Private", "! Health Service", "St &'s !", "% Radiology"),
    "ie": ("St &'s University Hospital", "Our Lady of Mercy, !", "! Primary Care Centre", "Mater &"),
    "ca": ("Hôpital %", "! General", "Centre hospitalier de !", "% Health Sciences Centre"),
    "za": ("% Provincial Hospital", "! Community Health Centre", "% Private Hospital"),
    "ph": ("% Doctors Hospital", "! Provincial Hospital", "% Medical Center", "San & District Hospital"),
}
_HOMES = ("% Manor", "% Court Nursing Home", "% Lodge Aged Care", "St. &'s Hospice", "The % Residence")
_EMPLOYERS = (
    "% Haulage",
    "% Foods",
    "% Steel",
    "% and Daughters Roofing",
    "Port of %",
    "% Call Centre",
    "% Quarries",
    "Hotel %",
    "% Textiles",
    "% Mutual Insurance",
)
_SCHOOLS = {
    "us": ("% Elementary", "% Middle School", "St. & Academy"),
    "in": ("% Public School", "St. &'s Convent"),
    "uk": ("% Primary School", "St &'s C of E", "% Grammar"),
    "au": ("% State School", "% College", "St &'s"),
}
_PLATES = {
    "us": ("@@@ ####", "#@@@###"),
    "uk": ("@@## @@@", "@@##@@@"),
    "au": ("@@@-##@", "#@@-#@@"),
    "in": ("MH ## @@ ####", "KA-##-@@-####"),
    "za": ("CA ###-###", "@@ ## @@ GP"),
}


def _country(f: Filling) -> str:
    return f.style if f.style in _PLATES else f.pick("us", "uk")


def _made(f: Filling, country: str, forms: tuple[str, ...]) -> str:
    """One of ``forms`` with % as a name, ! as a town, & as a saint."""
    form, called = f.form(*forms), _CALLED_INDIAN if country == "in" else _CALLED
    for sign, values in (("%", called), ("!", _TOWNS[country]), ("&", _SAINTS)):
        form = form.replace(sign, f.pick(*values.split()))
    return form


def town(f: Filling, country: str = "") -> str:
    """A town that is on the map."""
    return f.pick(*_TOWNS[country or _country(f)].split())


def address(f: Filling, country: str = "") -> str:
    """House and street, box or plot, without the town."""
    form = f.form(*_ADDRESSES[country or _country(f)])
    while "%" in form:
        form = form.replace("%", f.pick(*_STREETS.split()), 1)
    return form


def facility(f: Filling, country: str = "") -> str:
    """A hospital, practice or home."""
    country = country or _country(f)
    return _made(f, country, _FACILITIES[country])


def home(f: Filling) -> str:
    """Where the old or the dying are cared for."""
    return _made(f, _country(f), _HOMES)


def employer(f: Filling) -> str:
    """Where someone works."""
    return _made(f, _country(f), _EMPLOYERS)


def school(f: Filling) -> str:
    """Where someone learns or teaches."""
    country = _country(f)
    return _made(f, country, _SCHOOLS[country])


def plate(f: Filling, country: str = "") -> str:
    """What is on a vehicle."""
    return f.form(*_PLATES[country or _country(f)])
